rt('consent', {granted: false});
