rt('consent', {granted: true, cmp: 'my banner', time: Math.floor(Date.now() / 1000)});
