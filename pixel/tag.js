/* The snippet merchants paste: a command queue whose events reach /m/e with the page's consent. */
(function (window, document) {
  'use strict';
  const script = document.currentScript;
  const stub = window.rt;
  if (!script || !script.src || (stub && stub.ready)) return;

  const ENDPOINT = new URL('e', script.src).href; // beside the tag, so that a merchant may proxy the folder
  const MAX_EVENTS = 20;
  const CLICK_COOKIE = '_rtclid';
  const CLICK_DAYS_SECONDS = 2592000;
  const CLICK_ID = /^[\w.~-]{1,256}$/;
  const EVENT_FIELDS = 'event_id value currency transaction_id lead_id form_id content_ids contents'.split(' ');
  const ITEM_FIELDS = ['item_id', 'price', 'quantity'];
  const PRIVACY_FIELDS = 'gdpr gdpr_consent gpp gpp_sid coppa'.split(' ');
  const SHOP_EVENTS = ('page_view view_item_list select_item view_item add_to_wishlist add_to_cart remove_from_cart' +
    ' view_cart begin_checkout add_shipping_info add_payment_info purchase refund search sign_up login' +
    ' generate_lead view_promotion select_promotion').split(' ');

  let merchant = null;
  let options = {};
  let shared = {};
  let consent = {};
  let answered = false; // the page or its consent tool has spoken
  let storageAllowed = false; // only an explicit yes lets us write to the visitor's device
  let toolsHeard = {};
  let waiting = [];
  let scheduled = false;

  const pick = (from, names) => {
    const kept = {};
    names.forEach((name) => {
      if (from[name] !== undefined && from[name] !== null) kept[name] = from[name];
    });
    return kept;
  };

  // A mistake of ours, or in what a page hands us, must never stop the shop's own script.
  const quietly = (action) => (given) => {
    try {
      action(given);
    } catch (error) {
      if (options.debug) console.warn('rt', error);
    }
  };

  const randomId = () => {
    if (window.crypto.randomUUID) return window.crypto.randomUUID();
    return Array.from(window.crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join('');
  };

  /* ---- the click id of our landing pages ---- */

  const clickId = () => {
    const landed = new URLSearchParams(location.search).get('rtclid') || '';
    if (CLICK_ID.test(landed)) return landed;
    const stored = storageAllowed && ('; ' + document.cookie).split('; ' + CLICK_COOKIE + '=')[1];
    return stored ? stored.split(';')[0] : undefined;
  };

  const writeClickCookie = (value, seconds) => {
    document.cookie = CLICK_COOKIE + '=' + value + '; Max-Age=' + seconds + '; Path=/; SameSite=Lax' +
      (location.protocol === 'https:' ? '; Secure' : '');
  };

  const decideStorage = (allowed) => {
    storageAllowed = allowed && !navigator.globalPrivacyControl;
    const id = storageAllowed && clickId();
    if (id) writeClickCookie(id, CLICK_DAYS_SECONDS);
    if (!storageAllowed) writeClickCookie('', 0);
  };

  /* ---- consent ---- */

  const heard = () => {
    answered = true;
    schedule();
  };

  const setConsent = (given) => {
    Object.assign(consent, pick(given, PRIVACY_FIELDS));
    if (typeof given.granted === 'boolean') {
      const time = given.time === undefined ? new Date() : new Date(given.time < 1e11 ? given.time * 1000 : given.time);
      Object.assign(consent, pick(given, ['cmp']), { granted: given.granted, time: Math.floor(time / 1000) });
      decideStorage(given.granted);
    }
    heard();
  };

  const hearTcf = (data, success) => {
    if (!success || !/^(tcloaded|useractioncomplete)$/.test(data.eventStatus)) return;
    if (data.gdprApplies !== undefined) consent.gdpr = data.gdprApplies ? '1' : '0';
    if (data.tcString) consent.gdpr_consent = data.tcString;
    if (consent.granted === undefined) {
      const purposes = (data.purpose && data.purpose.consents) || {};
      decideStorage(data.gdprApplies === false || purposes[1] === true);
    }
    heard();
  };

  const hearGpp = (event) => {
    const data = event && event.pingData;
    if (!data || data.signalStatus !== 'ready') return;
    if (data.gppString) consent.gpp = data.gppString;
    if (data.applicableSections) consent.gpp_sid = data.applicableSections.join(',');
    heard();
  };

  const listenToConsentTools = () => {
    if (typeof window.__tcfapi === 'function' && !toolsHeard.tcf) {
      toolsHeard.tcf = true;
      window.__tcfapi('addEventListener', 2, hearTcf);
    }
    if (typeof window.__gpp === 'function' && !toolsHeard.gpp) {
      toolsHeard.gpp = true;
      window.__gpp('addEventListener', hearGpp);
    }
  };

  const mustWait = () => !merchant || document.prerendering ||
    (!answered && (options.waitForConsent || toolsHeard.tcf || toolsHeard.gpp));

  /* ---- sending ---- */

  const asImage = (payload) => payload.events.forEach((event) => {
    const query = new URLSearchParams({ m: payload.m, e: event.name });
    const add = (name, value) => value !== undefined && query.append(name, value);
    (event.items || []).forEach((item) => {
      query.append('id', item.item_id);
      query.append('q', item.quantity === undefined ? '' : item.quantity);
      query.append('p', item.price === undefined ? '' : item.price);
    });
    ['value', 'currency', 'transaction_id', 'lead_id', 'event_id', 'url', 'rtclid'].forEach((name) => add(name, event[name]));
    PRIVACY_FIELDS.concat('gpc').forEach((name) => add(name, consent[name]));
    add('consent', consent.granted === undefined ? undefined : Number(consent.granted));
    add('consent_cmp', consent.cmp);
    add('consent_time', consent.time);
    add('debug', payload.debug);
    new Image().src = ENDPOINT + '?' + query;
  });

  const asBeacon = (payload, body) => {
    if (!navigator.sendBeacon || !navigator.sendBeacon(ENDPOINT, body)) asImage(payload);
  };

  const transmit = (payload) => {
    const body = JSON.stringify(payload);
    // text/plain and no-cors need no preflight; a second delivery is harmless, since event_id tells it.
    try {
      fetch(ENDPOINT, { method: 'POST', body, mode: 'no-cors', credentials: 'include', keepalive: true })
        .catch(() => asBeacon(payload, body));
    } catch (error) {
      asBeacon(payload, body);
    }
    if (options.debug) document.dispatchEvent(new CustomEvent('rt:sent', { detail: payload }));
  };

  const flush = () => {
    scheduled = false;
    if (mustWait()) return;
    if (navigator.globalPrivacyControl) consent.gpc = 1;
    const rtclid = clickId();
    while (waiting.length) {
      const events = waiting.splice(0, MAX_EVENTS).map((event) => (rtclid ? { ...event, rtclid } : event));
      const payload = { m: merchant, events, consent: { ...consent } };
      if (options.debug) payload.debug = 1;
      transmit(payload);
    }
  };

  const schedule = () => {
    if (scheduled || !waiting.length) return;
    scheduled = true;
    Promise.resolve().then(flush); // the commands of one script make one request
  };

  /* ---- what the page does ---- */

  const itemOf = (item) => pick({ item_id: item.id, ...item }, ITEM_FIELDS);

  const addEvent = (name, params) => {
    const given = { ...shared, ...params };
    const event = {
      name,
      ...pick(given, EVENT_FIELDS),
      event_id: given.event_id || randomId(),
      url: location.origin + location.pathname, // queries and fragments may name people
    };
    if (Array.isArray(given.items)) event.items = given.items.map(itemOf);
    waiting.push(event);
    schedule();
  };

  const hearForm = (name) => {
    const seen = new WeakSet();
    return ({ target }) => {
      const form = target && target.closest && target.closest('form[data-rt-form]');
      if (!form || seen.has(form)) return;
      seen.add(form); // once per form; the names and values of its fields are never read
      const item = form.getAttribute('data-rt-item');
      addEvent(name, { form_id: form.getAttribute('data-rt-form'), items: item ? [{ item_id: item }] : undefined });
    };
  };

  const hearDataLayer = (entry) => {
    if (!entry || typeof entry !== 'object') return;
    const isGtag = entry[0] === 'event';
    const name = isGtag ? entry[1] : entry.event;
    if (!SHOP_EVENTS.includes(name)) return;
    addEvent(name, isGtag ? entry[2] : { event_id: entry.event_id, ...entry.ecommerce });
  };

  const readDataLayer = (name) => {
    const layer = (window[name] = window[name] || []);
    const push = layer.push;
    const hear = quietly(hearDataLayer);
    Array.from(layer).forEach((entry) => hear(entry));
    layer.push = function () {
      Array.from(arguments).forEach((entry) => hear(entry));
      return push.apply(layer, arguments);
    };
  };

  const commands = {
    init(id, given) {
      if (merchant) return;
      merchant = id;
      options = given || {};
      listenToConsentTools();
      if (options.dataLayer) readDataLayer(options.dataLayer === true ? 'dataLayer' : options.dataLayer);
      schedule();
    },
    consent: (given) => setConsent(given || {}),
    event: addEvent,
    set: (given) => Object.assign(shared, given),
  };

  const run = quietly((command) => {
    const [name, ...rest] = command;
    if (Object.prototype.hasOwnProperty.call(commands, name)) commands[name](...rest);
  });

  window.rt = function () { run(arguments); };
  window.rt.ready = true;
  ((stub && stub.q) || []).forEach((command) => run(command));

  document.addEventListener('input', hearForm('form_start'), true);
  document.addEventListener('submit', hearForm('form_submit'), true);
  document.addEventListener('prerenderingchange', schedule);
  window.addEventListener('load', listenToConsentTools);
  window.addEventListener('pagehide', flush);
})(window, document);
