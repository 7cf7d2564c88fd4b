/* The publisher's script: every <div data-slot> becomes an iframe, once the page's consent is known. */
(function (window, document) {
  'use strict';
  const script = document.currentScript;
  if (!script || !script.src || window.rtSlots) return;

  const HOST = new URL(script.src).origin;
  const PATIENCE_MS = Number(script.dataset.timeout) || 3000; // for a consent tool that does not answer
  const MOST_OTHERS = 11; // slots that are answered along with one
  const ANSWER_MS = 2000; // within which that one's document tells of them, or each asks for itself
  const earlier = window.rtConsent; // a stub's queue: the page may speak before we are here
  const places = new Map(); // div -> { frame, guessed, state, style before it collapsed }
  const said = {}; // what the page's consent tools said, as query parameters
  const unheard = new Set(); // tools that are present and have not spoken yet
  const tools = {};
  const entries = new WeakSet(); // of the dataLayer, heard
  let push; // ours, of the dataLayer
  let sheet = 'new'; // what the page's slots were answered, sealed; we cannot read it
  let asking; // the one place whose answer is waited for, and the others that come with it
  let patient = true;

  // A mistake of ours, or in what a page hands us, must never stop the publisher's own script.
  const quietly = (action) => function () {
    try {
      return action.apply(null, arguments);
    } catch (error) {
      if (script.dataset.debug) console.warn('rtSlots', error);
    }
  };

  /* ---- consent ---- */

  const heard = (tool) => {
    unheard.delete(tool);
    Promise.resolve().then(showAll); // what several tools say at one moment goes with one request
  };

  const hearTcf = quietly((data, success) => {
    if (!success || !/^(tcloaded|useractioncomplete)$/.test(data.eventStatus)) return;
    if (data.gdprApplies !== undefined) said.gdpr = data.gdprApplies ? 1 : 0;
    said.gdpr_consent = data.tcString;
    heard('tcf');
  });

  const hearGpp = quietly((event) => {
    const data = event && event.pingData;
    if (!data || data.signalStatus !== 'ready') return;
    said.gpp = data.gppString;
    said.gpp_sid = (data.applicableSections || []).join(',');
    heard('gpp');
  });

  const hearUsPrivacy = quietly((data) => {
    said.us_privacy = (data || {}).uspString;
    heard('usp');
  });

  // Google's Consent Mode. A default is nobody's consent, and one for some regions only is no denial here; what
  // an update grants is the visitor's answer, given now.
  const hearConsentMode = (isUpdate, given) => {
    ['ad_storage', 'ad_user_data', 'ad_personalization'].forEach((name) => {
      if (!isUpdate && (given[name] !== 'denied' || given.region)) return;
      if (given[name]) said[name] = given[name];
      if (given[name] !== 'granted') return;
      said.consent_cmp = said.consent_cmp || 'consent mode';
      said.consent_time = Math.floor(Date.now() / 1000);
    });
    if (isUpdate && given.ad_storage) {
      tools.mode = true;
      heard('mode');
    } else if (said.ad_storage && !tools.mode) unheard.add('mode');
  };

  const hearEntry = quietly((entry) => {
    if (entries.has(entry)) return;
    entries.add(entry);
    if (entry[0] === 'consent') hearConsentMode(entry[1] === 'update', entry[2]);
  });

  const listenToLayer = quietly(() => {
    const layer = window.dataLayer;
    if (!layer || !layer.push || layer.push === push) return;
    const original = layer.push;
    Array.from(layer).forEach(hearEntry);
    push = layer.push = function () {
      Array.from(arguments).forEach(hearEntry);
      return original.apply(this, arguments);
    };
  });

  // What the page itself asserts, where there is no IAB tool: { granted, cmp, time }.
  const setConsent = quietly((given) => {
    const time = given.time === undefined ? new Date() : new Date(given.time < 1e11 ? given.time * 1000 : given.time);
    said.consent = given.granted === true ? 1 : 0;
    said.consent_cmp = given.cmp;
    said.consent_time = Math.floor(time / 1000) || undefined;
    heard('page');
  });

  const listen = (name, tool, hear) => {
    if (typeof window[name] !== 'function' || tools[tool]) return;
    tools[tool] = true;
    unheard.add(tool);
    quietly(hear)(window[name]);
  };

  const listenToTools = quietly(() => {
    listen('__tcfapi', 'tcf', (api) => api('addEventListener', 2, hearTcf));
    listen('__gpp', 'gpp', (api) => api('addEventListener', hearGpp));
    listen('__uspapi', 'usp', (api) => api('getUSPData', 1, hearUsPrivacy));
    listenToLayer();
  });

  const consentOf = () => {
    const fields = Object.assign({}, said);
    // Not every browser with the control also sends its header.
    if (navigator.globalPrivacyControl) fields.gpc = 1;
    // A tool's silence is not a yes, and not the visitor's no.
    if (unheard.size && fields.consent !== 0) fields.consent = 'unheard';
    return fields;
  };

  /* ---- frames ---- */

  // `more`: the place's own part in what the page asks at once.
  const addressOf = (div, more) => {
    const query = new URLSearchParams();
    const stated = (name) => div.dataset[name] || script.dataset[name];
    const fields = Object.assign(consentOf(), { kw: stated('keywords'), cat: stated('category'), page: sheet }, more);
    Object.keys(fields).forEach((name) => {
      if (fields[name] !== undefined && fields[name] !== '') query.append(name, fields[name]);
    });
    return HOST + '/slot/' + encodeURIComponent(div.dataset.slot) + '?' + query;
  };

  const size = (div, frame, width, height) => {
    if (div.dataset.size === 'responsive') return;
    if (width > 0 && height > 0) {
      frame.width = width;
      frame.height = height;
    }
  };

  // As wide as its place, and as high; a place without a height gets one that suits its width.
  const fill = (div, frame) => {
    const { clientWidth: wide, clientHeight: high } = div;
    frame.style.width = '100%';
    frame.style.height = (high > 49 ? high : wide > 479 ? 250 : Math.max(250, Math.round(wide * 5 / 6))) + 'px';
  };

  const makeFrame = (div) => {
    const frame = document.createElement('iframe');
    const named = (name, value) => frame.setAttribute(name, value);
    named('title', div.dataset.title || 'Advertisement');
    named('scrolling', 'no');
    named('frameborder', '0');
    named('referrerpolicy', 'origin'); // says whose page this is, and nothing of which
    // Scripts, and links into new windows; never the publisher's own window. On another host than the page's,
    // allow-same-origin gives the ad its own origin (and its beacons our cookie), which cannot reach the
    // page. Where both share one host, as a demo may, it would let the ad leave its sandbox.
    named('sandbox', 'allow-scripts allow-popups allow-popups-to-escape-sandbox' +
      (HOST === location.origin ? '' : ' allow-same-origin'));
    frame.style.verticalAlign = 'top'; // no line's descent below it
    size(div, frame, Number(div.dataset.width), Number(div.dataset.height));
    if (div.dataset.size === 'responsive') fill(div, frame);
    return frame;
  };

  const show = quietly((div, more) => {
    if (document.prerendering || document.readyState === 'loading') return; // who comes later may say no
    const known = places.get(div);
    if (known && known.frame) known.frame.remove();
    if (known && known.style !== undefined) div.style.cssText = known.style;
    const place = { frame: makeFrame(div), guessed: unheard.size > 0 };
    places.set(div, place);
    place.frame.src = addressOf(div, more);
    div.appendChild(place.frame);
    return place;
  });

  // One asks for all that are new on the page, so that none shows what another does; then they ask for theirs.
  const ask = (divs) => {
    const others = divs.slice(1, MOST_OTHERS + 1);
    const place = show(divs[0], { with: others.map((div) => div.dataset.slot).join() });
    if (!place) return;
    const round = (asking = { place, others });
    const goOn = quietly(() => {
      if (round === asking) answered();
    });
    place.frame.onload = () => setTimeout(goOn, 100); // it says nothing, then: an error's page, or an old server
    setTimeout(goOn, ANSWER_MS);
  };

  const answered = () => {
    const { others } = asking;
    asking = undefined;
    others.forEach((div, index) => {
      if (div.isConnected) show(div, { place: others.length - index });
    });
    showAll();
  };

  const showAll = quietly(() => {
    if (unheard.size && patient) return;
    places.forEach((place, div) => {
      if (!div.isConnected) places.delete(div);
      // What was asked without an answer of the consent tool is asked again once it has spoken.
      else if (place.guessed && !unheard.size && place.state !== 'passback') {
        place.guessed = false;
        place.stale = true;
        asking = undefined;
        sheet = 'new';
      }
    });
    const due = (div) => !places.has(div) || places.get(div).stale;
    const divs = Array.from(document.querySelectorAll('[data-slot]')).filter(due);
    if (divs.length && !asking) ask(divs);
  });

  /* ---- what the documents tell ---- */

  const passBack = (div) => {
    const template = div.querySelector('template[data-passback]');
    if (template) div.appendChild(document.importNode(template.content, true)); // its scripts run: they are the page's own
    return Boolean(template);
  };

  const collapse = (div, place) => {
    place.style = div.style.cssText;
    Object.assign(div.style, { height: '0', minHeight: '0', overflow: 'hidden' });
  };

  const remove = (place) => {
    place.frame.remove();
    place.frame = null;
  };

  const empty = (div, place, wish) => {
    if (wish !== 'collapse' && wish !== 'passback') return;
    remove(place);
    if (wish === 'passback' && passBack(div)) {
      place.state = 'passback';
      return;
    }
    collapse(div, place);
  };

  // The reader's own button, inside the ad: it says goodbye there, or goes where the page asks for that.
  const close = (div, place) => {
    if (div.dataset.onClose !== 'collapse') return;
    remove(place);
    collapse(div, place);
  };

  const hearFrame = quietly((event) => {
    const data = event.data;
    if (!data || !/^(filled|empty|closed)$/.test(data.slot)) return;
    // 'null' is the origin of a frame that shares our host, for its sandbox takes it away.
    if (event.origin !== (HOST === location.origin ? 'null' : HOST)) return;
    places.forEach((place, div) => {
      // A document speaks once, and once more where its reader closes it.
      if (!place.frame || place.state !== (data.slot === 'closed' ? 'filled' : undefined)) return;
      if (place.frame.contentWindow !== event.source) return;
      if (data.slot !== 'closed') size(div, place.frame, Number(data.width), Number(data.height));
      place.state = data.slot;
      if (asking && asking.place === place) {
        sheet = data.page || sheet;
        Promise.resolve().then(quietly(answered));
      }
      const onEmpty = data.slot === 'empty' ? div.dataset.onEmpty || data.onEmpty : undefined;
      if (onEmpty) empty(div, place, onEmpty);
      if (data.slot === 'closed') close(div, place);
      div.dispatchEvent(new CustomEvent('slot:' + data.slot, { bubbles: true, detail: { slot: div.dataset.slot, onEmpty } }));
    });
  });

  /* ---- what the page may call ---- */

  window.rtConsent = setConsent;
  window.rtSlots = {
    // New places are found; a div is asked again, unless the publisher's own tag has taken it.
    refresh: quietly((div) => {
      const place = places.get(div);
      if (place && place.state !== 'passback') place.stale = true;
      showAll();
    }),
  };

  const begin = () => {
    listenToTools();
    showAll();
  };

  window.addEventListener('message', hearFrame);
  listenToTools(); // first, so that nothing is asked before a tool that is there
  if (script.dataset.consent === 'wait') unheard.add('page');
  else if (script.dataset.consent) {
    setConsent({
      granted: script.dataset.consent === 'granted',
      cmp: script.dataset.consentCmp,
      time: Number(script.dataset.consentTime) || undefined,
    });
  }
  ((earlier && earlier.q) || []).forEach((given) => setConsent(given[0]));
  const start = () => {
    setTimeout(() => {
      patient = false;
      showAll();
    }, PATIENCE_MS);
    begin();
  };

  if (document.prerendering) document.addEventListener('prerenderingchange', start);
  else start();
  document.addEventListener('DOMContentLoaded', begin);
  window.addEventListener('load', begin);
})(window, document);
