/* Asks for the story once a second, and shows it: whole on the story's page, its latest steps on the others. */
(function () {
  'use strict';
  const cards = document.body.dataset.cards;
  const byId = (id) => document.getElementById(id);
  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const SIGNS = { event: '◉', cookie: '●', decision: '★', empty: '○', charge: '€', remark: '–' };
  const open = new Set(); // details that the reader has opened stay open

  const time = (ms) => new Date(ms).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });

  const fold = (step, name, title, content) => {
    const details = make('details');
    const key = step.at_ms + ':' + step.number + ':' + name;
    details.open = open.has(key);
    details.addEventListener('toggle', () => (details.open ? open.add(key) : open.delete(key)));
    details.append(make('summary', '', title), content);
    return details;
  };

  const stepElement = (step) => {
    const item = make('li', 'step ' + step.kind);
    item.append(make('i', 'sign', SIGNS[step.kind] || '–'), make('time', '', time(step.at_ms)), make('b', '', step.title));
    step.lines.forEach((line) => item.append(make('p', '', line)));
    if (step.refused.length) {
      const list = make('ul', 'refused');
      const byReason = new Map();
      step.refused.forEach(([name, why]) => byReason.set(why, (byReason.get(why) || []).concat(name)));
      byReason.forEach((names, why) => {
        const row = make('li');
        row.append('Not ', make('b', '', names.join(', ')), ': ' + why + '.');
        list.append(row);
      });
      item.append(list);
    }
    if (step.wire) item.append(fold(step, 'wire', step.kind === 'cookie' ? 'the cookie' : 'what the tag sent', make('pre', '', step.wire)));
    return item;
  };

  /* ---- the story's page ---- */

  const showProfile = (told) => {
    const known = told.visitor.known;
    byId('cookie').textContent = known ? 'Your cookie: ' + told.visitor.cookie : 'No cookie of ours yet.';
    const shown = told.profile.map((shop) => {
      const part = make('div', 'remembered');
      part.append(make('h3', '', shop.name));
      const list = make('ul');
      shop.items.forEach((item) => {
        const row = make('li');
        if (item.picture) {
          const image = make('img');
          image.src = '/media/' + item.picture + '.jpg';
          image.alt = '';
          row.append(image);
        }
        const words = make('span');
        words.append(make('b', '', item.title), make('small', '', item.level));
        row.append(words);
        list.append(row);
      });
      part.append(list);
      if (shop.form) part.append(make('p', 'form', shop.form));
      return part;
    });
    byId('profile').replaceChildren(...shown);
  };

  const showLedger = (rows) => {
    byId('ledger').replaceChildren(...rows.map((row) => {
      const line = make('tr', row.spent_micros ? 'spent' : '');
      const name = make('td');
      name.append(make('span', 'model ' + row.model.toLowerCase(), row.model), make('b', '', row.name),
        make('small', '', row.advertiser + ' · ' + row.pays.replace('This campaign ', '').replace(/\.$/, '')));
      line.append(name, make('td', 'n', row.today), make('td', 'n', row.budget));
      return line;
    }));
  };

  const notice = (told) => {
    if (told.visitor.test) return 'You are a test visitor: you see everything, and nothing is billed.';
    if (told.visitor.opted_out) return 'You have opted out: nothing is stored, and no ad is chosen for you.';
    if (told.strangers && cards) return 'Events arrived without our cookie. If some are yours, your browser refuses third-party cookies.';
    return '';
  };

  const showStory = (told) => {
    byId('walk').querySelectorAll('[data-step]').forEach((item) => item.classList.toggle('done', told.done[item.dataset.step]));
    byId('notice').textContent = notice(told);
    byId('notice').hidden = !notice(told);
    if (told.steps.length) byId('steps').replaceChildren(...told.steps.map(stepElement));
    showProfile(told);
    showLedger(told.ledger);
  };

  /* ---- the other pages ---- */

  const showPanel = (told) => {
    const panel = byId('live');
    panel.hidden = !told.steps.length;
    const latest = told.steps.filter((step) => !step.quiet).slice(0, 8); // beacons of ads come late, and in crowds
    byId('live-steps').replaceChildren(...latest.map((step) => {
      const item = make('li', 'step ' + step.kind);
      item.append(make('i', 'sign', SIGNS[step.kind] || '–'), make('b', '', step.title));
      if (step.lines[0]) item.append(make('p', '', step.lines[0]));
      return item;
    }));
  };

  const showPlaces = (told) => document.querySelectorAll('[data-place]').forEach((caption) => {
    const place = told.places[caption.dataset.place];
    if (!place || place.at_ms < Number(document.body.dataset.at)) return; // of the page before this one
    const parts = [make('b', '', '“' + place.campaign + '”'), ' ' + place.pays.replace('This campaign ', '')];
    if (place.campaign === 'No ad') parts.splice(0, 2, make('b', '', 'No ad.'), ' ' + place.why);
    if (place.test) parts.push(' Not for you: you are a test visitor.');
    caption.replaceChildren(...parts);
  });

  const foldButton = byId('live-fold');
  if (foldButton) {
    const foldPanel = (folded) => {
      byId('live').classList.toggle('folded', folded);
      foldButton.textContent = folded ? '+' : '–';
      foldButton.setAttribute('aria-expanded', String(!folded));
    };
    foldPanel(['news', 'service'].includes(document.body.dataset.room) || innerWidth < 700); // never over an ad or the next step, nor over most of a phone
    foldButton.addEventListener('click', () => foldPanel(!byId('live').classList.contains('folded')));
  }

  let last = '';
  const ask = () => fetch(cards + '/demo/story.json', { credentials: 'include' })
    .then((answer) => answer.text())
    .then((text) => {
      if (text === last) return;
      last = text;
      const told = JSON.parse(text);
      if (byId('steps')) showStory(told);
      else showPanel(told);
      showPlaces(told);
    })
    .catch(() => undefined) // the demo was stopped: the page stays as it is
    .finally(() => setTimeout(ask, document.hidden ? 3000 : performance.now() < 4000 ? 300 : 1000));
  ask(); // often at first, while the page's own requests are on their way
})();
