const SHOP = '{{ public_id }}', EVENTS = '{{ base_url }}/m/e';
let allowed = init.customerPrivacy.marketingAllowed;
api.customerPrivacy.subscribe('visitorConsentCollected', (event) => { allowed = event.customerPrivacy.marketingAllowed; });

async function tell(event, name, more) {
  if (!allowed) return;
  const checkout = event.data.checkout;
  const items = checkout.lineItems.map((line) => ({item_id: line.variant.sku || String(line.variant.id),
    price: line.variant.price.amount, quantity: line.quantity}));
  const rtclid = await browser.cookie.get('_rtclid') || undefined;
  const consent = {granted: true, cmp: 'Shopify', time: Math.floor(Date.now() / 1000)};
  const told = {name, event_id: event.id, rtclid, currency: checkout.currencyCode, items, ...more(checkout)};
  fetch(EVENTS, {method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: true,
    body: JSON.stringify({m: SHOP, consent, events: [told]})});
}

analytics.subscribe('checkout_started', (event) => tell(event, 'begin_checkout', () => ({})));
analytics.subscribe('checkout_completed', (event) => tell(event, 'purchase', (checkout) => ({
  transaction_id: String(checkout.order.id).split('/').pop(), value: checkout.subtotalPrice.amount})));
