/* The snippet merchants paste: what a page says, does and allows reaches /m/e. Served without comments, names shortened. */
(() => {
  'use strict';
  const script = document.currentScript;
  const stub = window.rt;
  if (stub && stub.ready) return;

  const MOST_EVENTS = 20; // of one request
  const MOST_KEPT = 100; // while they wait for a word or for the server
  const CLICK_SECONDS = 2592000; // 30 days
  const MOST_ITEMS = 200; // GA4's limit, and the server's
  const SECOND_MS = 1000;
  const CAMPAIGN_PARAMS = /[?&](utm_\w+|\w*clid)=[^&]*/g;

  const words = (text) => text.split(' ');
  const ITEM_FIELDS = words('item_id price quantity');
  const EVENT_FIELDS = words('event_id value currency coupon transaction_id lead_id items form_id fields landing_ms');
  const MODE_FIELDS = words('ad_storage ad_user_data ad_personalization');
  const SIGNAL_FIELDS = words('gdpr gdpr_consent gpp gpp_sid us_privacy coppa');
  const SHOP_EVENTS = words('page_view view_item_list select_item view_item add_to_wishlist add_to_cart remove_from_cart' +
    ' view_cart begin_checkout add_shipping_info add_payment_info purchase refund search sign_up login' +
    ' generate_lead view_promotion select_promotion');
  // Meta's and Criteo's names that are not GA4's in another spelling.
  const OTHER_NAMES = {
    view_content: 'view_item', initiate_checkout: 'begin_checkout', complete_registration: 'sign_up', lead: 'generate_lead',
    view_page: 'page_view', view_home: 'page_view', view_list: 'view_item_list', view_basket: 'view_cart',
    track_transaction: 'purchase',
  };

  // Who tells of an event, the most believed first.
  const PAGE = 0;
  const DATA_LAYER = 1;
  const CRITEO = 2;
  const META = 3;
  const GUESS = 4;

  let merchant;
  let endpoint;
  let options = {};
  let shared = {};

  const pick = (from, names) => {
    const kept = {};
    names.forEach((name) => {
      if (from[name] != null) kept[name] = from[name];
    });
    return kept;
  };

  // A mistake of ours, or in what a page hands us, must never stop the shop's own script.
  const quietly = (action) => (...given) => {
    try {
      action(...given);
    } catch (error) {
      if (options.debug) console.warn('rt', error);
    }
  };

  const later = (action) => setTimeout(quietly(action), SECOND_MS);
  const on = (target, names, action) => words(names).forEach((name) => target.addEventListener(name, quietly(action), true));
  const firstOf = (listed) => [].concat(listed)[0] || 0;
  const found = (pattern, text) => (pattern.exec(text) || 0)[1];

  /* ---- consent: who said yes (true), no (false) or not yet (null) ---- */

  const said = {};
  const signals = { gpc: navigator.globalPrivacyControl ? 1 : undefined };
  let answered = false;
  let refusalTold = false;

  // The strongest no wins. Silence is for the server to judge, which knows where the visitor is.
  const anybodySaid = (word) => Object.values(said).includes(word);
  const mayNot = () => anybodySaid(false);
  const isOpen = () => !anybodySaid(true) && (anybodySaid(null) || (options.wait && !answered));
  const mustWait = () => !mayNot() && (said.mode === null || isOpen()); // its update follows another tool's yes
  const mayKeep = () => !mayNot() && anybodySaid(true) && !signals.gpc;

  const keepClick = (id) => {
    document.cookie = '_rtclid=' + (id || '') + '; Max-Age=' + (id ? CLICK_SECONDS : 0) + '; Path=/; SameSite=Lax' +
      (location.protocol === 'https:' ? '; Secure' : '');
  };

  const consentChanged = () => {
    answered = true;
    if (mayKeep() && landing) keepClick(landing); // what is stored is not prolonged
    if (mayNot() || signals.gpc) keepClick();
    schedule();
  };

  // Who asked the visitor, and when.
  const hearTool = (given) => {
    const time = given.time || Date.now();
    signals.consent_cmp = given.cmp;
    signals.consent_time = Math.floor(new Date(time < 1e11 ? time * SECOND_MS : time) / SECOND_MS);
  };

  // A default of "granted" is nobody's consent, and one for some regions only is for the server to know. What
  // an update grants is the visitor's answer, given now.
  const hearConsentMode = (isUpdate, given) => {
    MODE_FIELDS.forEach((name) => {
      if (given[name] && (isUpdate || (given[name] === 'denied' && !given.region))) signals[name] = given[name];
      if (isUpdate && given[name] === 'granted') hearTool({ cmp: signals.consent_cmp || 'consent mode', ...given });
    });
    if (isUpdate && given.ad_storage) said.mode = given.ad_storage === 'granted';
    else if (signals.ad_storage && said.mode === undefined) said.mode = null;
    if (isUpdate) consentChanged();
  };

  const hearPage = (given) => {
    Object.assign(signals, pick(given, SIGNAL_FIELDS));
    if (given.granted != null) {
      said.page = signals.consent = given.granted === true;
      hearTool(given);
    }
    hearConsentMode(true, given);
  };

  const hearTcf = quietly((data) => {
    if (!/loaded|complete/.test(data.eventStatus)) return;
    signals.gdpr = { true: 1, false: 0 }[data.gdprApplies];
    signals.gdpr_consent = data.tcString;
    said.__tcfapi = data.gdprApplies === false || data.purpose.consents[1] === true;
    consentChanged();
  });

  const hearGpp = quietly(({ pingData }) => {
    if (pingData.signalStatus !== 'ready') return;
    signals.gpp = pingData.gppString;
    signals.gpp_sid = [].concat(pingData.applicableSections).join();
    said.__gpp = undefined;
    consentChanged();
  });

  const hearUsPrivacy = (data) => {
    signals.us_privacy = (data || 0).uspString;
    said.__uspapi = undefined;
    schedule();
  };

  const ask = (tool, ...question) => {
    if (!window[tool] || tool in said) return;
    said[tool] = null;
    quietly(window[tool])(...question);
  };

  const askConsentTools = () => {
    ask('__tcfapi', 'addEventListener', 2, hearTcf);
    ask('__gpp', 'addEventListener', hearGpp);
    ask('__uspapi', 'getUSPData', 1, hearUsPrivacy);
  };

  /* ---- the click that led here ---- */

  const landing = found(/[?&]rtclid=([\w.~-]{1,256})(?:&|$)/, location.search);
  let engaged = !landing;

  const clickId = () => landing || (mayKeep() ? found(/(?:^|; )_rtclid=([\w.~-]+)/, document.cookie) : undefined);

  // The click's own id makes each of these one per landing, however often the page is loaded again.
  const tellOfLanding = (name, given) => tell(name, { ...given, event_id: (name + landing).slice(-100) }, PAGE);

  const tellEngaged = () => {
    if (!engaged) tellOfLanding('engaged');
    engaged = true;
  };

  const arrive = () => {
    if (!landing) return;
    const shown = firstOf(performance.getEntriesByType('navigation')).activationStart || 0; // where it was prerendered
    tellOfLanding('landed', { landing_ms: Math.round(performance.now() - shown) });
    setTimeout(() => document.hidden || tellEngaged(), 10 * SECOND_MS);
  };

  /* ---- the offer that came with it ---- */

  const query = new URLSearchParams(location.search);

  // Never later than the server said, and never again as much for an address that is opened once more.
  const tellOffer = (hear) => {
    const read = (name) => query.get('rt_offer' + name) || undefined;
    const number = (name) => +read(name) || undefined;
    const ends = number('_ends') * SECOND_MS;
    const offer = { code: read(''), percent: number('_percent'), amount: number('_amount'), currency: read('_currency') };
    if (ends) {
      offer.ends_at = new Date(ends);
      offer.ms_left = Math.max(0, Math.min(number('_left') * SECOND_MS - performance.now(), ends - Date.now()) || 0);
    }
    if (offer.percent || offer.amount) hear(offer);
  };

  /* ---- events: heard, freed of repeats, sent ---- */

  let heard = [];
  let outbox = [];
  let scheduled = false;
  let told = {}; // of this page view: who spoke first of each kind of event, and whether with an order id
  const ids = new Set();

  const itemsOf = (given) => {
    const listed = given.items || given.contents || given.content_ids || given.item;
    return listed && [].concat(listed).slice(0, MOST_ITEMS).map((item) =>
      pick(Object(item) === item ? { item_id: item.id, price: item.item_price, ...item } : { item_id: item }, ITEM_FIELDS));
  };

  const tell = (name, given, teller) => {
    const event = {
      name,
      ...pick({ ...given, items: itemsOf({ ...given }) }, EVENT_FIELDS),
      url: location.origin + location.pathname, // queries and fragments may name people
    };
    heard.push({ event, teller });
    schedule();
  };

  // Of one page view, one teller is heard for each kind of event; an order id is worth a second.
  const isFresh = ({ event, teller }) => {
    const order = event.name === 'purchase' && event.transaction_id;
    const keys = [event.event_id && event.name + event.event_id, order && 'order' + order].filter(Boolean);
    const first = told[event.name] || { teller, order };
    if (keys.some((key) => ids.has(key)) || (first.teller !== teller && (first.order || !order))) return false;
    keys.forEach((key) => ids.add(key));
    told[event.name] = first;
    return true;
  };

  const settle = () => {
    heard.sort((a, b) => a.teller - b.teller).filter(isFresh).forEach(({ event }) => {
      outbox.push({ event_id: crypto.getRandomValues(new Uint32Array(4)).join('-'), ...pick(shared, EVENT_FIELDS), ...event });
    });
    outbox = outbox.slice(-MOST_KEPT);
    heard = [];
  };

  const flush = quietly(() => {
    scheduled = false;
    settle();
    if (!merchant || mustWait()) return;
    if (mayNot()) {
      outbox = [];
      if (!refusalTold) transmit([]); // the no itself, so that what an earlier yes allowed is withdrawn
    }
    refusalTold = mayNot();
    while (outbox[0]) transmit(outbox.splice(0, MOST_EVENTS));
  });

  const schedule = () => {
    if (!scheduled) Promise.resolve().then(flush); // the commands of one script make one request
    scheduled = true;
  };

  const asImage = (events) => events.forEach(({ name, items, ...event }) => {
    const fields = { m: merchant, e: name, ...event, ...signals, debug: options.debug ? 1 : null };
    const query = new URLSearchParams(pick(fields, Object.keys(fields)));
    (items || []).forEach((item) => {
      query.append('id', item.item_id);
      query.append('q', item.quantity || '');
      query.append('p', item.price || '');
    });
    new Image().src = endpoint + '?' + query;
  });

  const transmit = (events) => {
    const rtclid = clickId();
    events.forEach((event) => Object.assign(event, { rtclid }));
    const body = JSON.stringify({ m: merchant, events, consent: signals, debug: options.debug ? 1 : undefined });
    const otherwise = () => (navigator.sendBeacon && navigator.sendBeacon(endpoint, body)) || asImage(events);
    if (options.debug) console.info('rt', body);
    // A text needs no preflight; a second delivery is harmless, since event_id tells it.
    fetch(endpoint, { method: 'POST', body, credentials: 'include', keepalive: true })
      .then((answer) => answer.status > 501 && keepForLater(events), otherwise);
  };

  // What the server could not keep goes with the next event, once, if it is still allowed then.
  const keepForLater = (events) => events.forEach((event) => {
    if (!event.again) outbox.push(event);
    event.again = 1;
  });

  /* ---- pages, also those that a script turns ---- */

  const address = () => location.pathname + location.search.replace(CAMPAIGN_PARAMS, '').slice(1);
  let page;
  let guessed;

  const meta = (name) => (document.querySelector('[property="product:' + name + '"]') || 0).content;

  const productsIn = (node) => {
    if (Array.isArray(node)) return [].concat(...node.map(productsIn));
    if (Object(node) !== node) return [];
    return /\bProduct(Group)?\b/.test(node['@type']) ? [node] : productsIn([node['@graph'], node.mainEntity]);
  };

  // A page of several products is a list, and shows none of them; a turned page may still hold the last one's data.
  const guess = () => {
    const products = [];
    document.querySelectorAll('[type="application/ld+json"]').forEach(quietly((data) => {
      products.push(...productsIn(JSON.parse(data.textContent)));
    }));
    const product = products.some((other) => other.sku !== products[0].sku) || firstOf(products);
    const offer = firstOf(product.offers);
    const id = product.sku || product.productID || product.productGroupID || meta('retailer_item_id');
    const price = offer.price || offer.lowPrice || meta('price:amount');
    if (!id || id === guessed) return;
    guessed = id;
    tell('view_item', { items: [{ id, price }], value: price, currency: offer.priceCurrency || meta('price:currency') }, GUESS);
  };

  // After what the page says itself.
  const guessSoon = (opened) => later(() => {
    if (document.readyState === 'loading') guessSoon(opened);
    else if (opened === page) guess();
  });

  const openPage = () => {
    page = address();
    if (options.pages !== false) tell('page_view', {}, GUESS);
    if (options.fallback !== false) guessSoon(page);
  };

  const turnPage = quietly(() => {
    if (address() === page) return;
    settle();
    told = {};
    tellEngaged();
    openPage();
  });

  const watchHistory = () => {
    words('pushState replaceState').forEach((name) => {
      const original = history[name];
      history[name] = function (...given) {
        const result = original.apply(this, given);
        turnPage();
        return result;
      };
    });
    on(window, 'popstate', turnPage);
  };

  /* ---- forms: the names of fields, never what is in them ---- */

  const begun = new Map();
  const submitted = new WeakSet();

  const isWatched = (form) => form && !submitted.has(form) && form.matches(options.forms || '[data-rt-form]');

  const tellOfForm = (name, form) => {
    const read = (attribute) => form.getAttribute(attribute);
    tell(name, { form_id: read('data-rt-form') || read('id') || read('name'), fields: [...(begun.get(form) || [])], item: read('data-rt-item') }, PAGE);
  };

  const hearField = ({ target }) => {
    const form = target.form;
    if (!isWatched(form) || /password|hidden|submit|button/.test(target.type)) return;
    const names = begun.get(form) || new Set();
    names.add(target.name);
    if (begun.has(form)) return;
    begun.set(form, names);
    tellOfForm('form_start', form);
  };

  const hearSubmit = ({ target }) => {
    if (!isWatched(target)) return;
    tellOfForm('form_submit', target);
    submitted.add(target);
    begun.delete(target);
  };

  const leave = () => {
    begun.forEach((names, form) => tellOfForm('form_abandon', form));
    begun.clear();
    flush();
  };

  /* ---- other people's tags: heard, and left as they are ---- */

  const entries = new WeakSet();
  const pushes = {};

  const readQueue = quietly((name, action) => {
    const queue = (window[name] = window[name] || []);
    const push = queue.push;
    if (push === pushes[name]) return;
    const hearOnce = quietly((entry) => {
      if (!entries.has(entry)) action(entry);
      entries.add(entry);
    });
    Array.from(queue).forEach(hearOnce);
    pushes[name] = queue.push = function (...given) {
      given.forEach(hearOnce);
      return push.apply(this, given);
    };
  });

  const hearDataLayer = (entry) => {
    const { 0: verb, 1: name, 2: given } = entry; // not all of it: it may say any length
    if (verb === 'consent') hearConsentMode(name === 'update', given);
    if (!options.dataLayer) return;
    if (verb === 'event') tellShop(name, given, DATA_LAYER);
    else tellShop(entry.event, { event_id: entry.event_id, ...entry.ecommerce }, DATA_LAYER);
  };

  const tellShop = (name, given, teller) => SHOP_EVENTS.includes(name) && tell(name, given, teller);

  const tellForeign = (name, given, teller) => {
    const spelled = name.replace(/[A-Z]/g, (letter, place) => (place ? '_' : '') + letter.toLowerCase());
    tellShop(OTHER_NAMES[spelled] || spelled, given, teller);
  };

  const hearCriteo = (entry) => tellForeign(entry.event, { transaction_id: entry.id, ...entry }, CRITEO);

  const hearFbq = quietly((call) => {
    const [verb, ...rest] = call;
    if (verb === 'trackSingle') rest.shift();
    const [name, given, about] = rest;
    const params = { ...given, ...about };
    if (/^track(Single)?$/.test(verb)) tellForeign(name, { transaction_id: params.order_id, event_id: params.eventID, ...params }, META);
  });

  // Meta's snippet does nothing where `fbq` is there already, so it is not made but awaited.
  const readFbq = quietly(() => {
    let fbq;
    const hearFrom = (given) => {
      if (typeof given !== 'function') return given;
      Array.from(given.queue || []).forEach(hearFbq);
      return new Proxy(given, {
        apply: (target, self, call) => {
          hearFbq(call);
          return target.apply(self, call);
        },
      });
    };
    if (window.fbq) window.fbq = hearFrom(window.fbq);
    else Object.defineProperty(window, 'fbq', { configurable: true, get: () => fbq, set: (given) => { fbq = hearFrom(given); } });
  });

  // Whoever comes late, or replaced its queue when it was loaded, is heard from then on.
  const listen = () => {
    if (!merchant) return;
    const layer = typeof options.dataLayer === 'string' ? options.dataLayer : 'dataLayer';
    if (options.dataLayer || window[layer]) readQueue(layer, hearDataLayer);
    if (options.criteo) readQueue('criteo_q', hearCriteo);
    askConsentTools();
  };

  /* ---- commands ---- */

  const commands = {
    init: (id, given) => {
      if (merchant) return;
      options = given || {};
      endpoint = new URL('e', new URL(options.base || script.src, location.href));
      merchant = id;
      if (options.wait > 1) setTimeout(() => { answered = true; schedule(); }, options.wait);
      if (options.fbq) readFbq();
      listen();
      arrive();
      openPage();
      watchHistory();
    },
    consent: hearPage,
    offer: tellOffer,
    event: (name, given) => tell(name, given, PAGE),
    set: (given) => { shared = { ...shared, ...given }; },
  };

  const run = quietly(([name, ...given]) => commands[name](...given));

  // A page that is prerendered is nobody's visit yet.
  const calls = (stub || 0).q || [];
  const work = () => document.prerendering || calls.splice(0).forEach(run);

  window.rt = (...call) => {
    calls.push(call);
    work();
  };
  window.rt.ready = true;
  work();

  on(document, 'focusin input', hearField);
  on(document, 'submit', hearSubmit);
  on(document, 'prerenderingchange', work);
  on(document, 'load', listen);
  on(window, 'load', listen);
  on(window, 'pagehide', leave);
})();
