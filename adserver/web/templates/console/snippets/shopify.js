const SHOP = '{{ public_id }}', EVENTS = '{{ base_url }}/m/e';
let allowed = init.customerPrivacy.marketingAllowed;
api.customerPrivacy.subscribe('visitorConsentCollected', (event) => { allowed = event.customerPrivacy.marketingAllowed; });

async function tell(event, name, more) {
  if (!allowed) return;
  const {href, search} = event.context.document.location;
  const landed = (/[?&]rtclid=([\w.~-]{1,256})/.exec(search) || [])[1];
  if (landed) await browser.cookie.set('_rtclid', landed);
  const rtclid = landed || await browser.cookie.get('_rtclid') || undefined;
  const told = [{name, event_id: event.id, url: href, rtclid, ...more}];
  if (landed && name === 'page_view') told.push({name: 'landed', rtclid, landing_ms: 0});
  const consent = {granted: true, cmp: 'Shopify', time: Math.floor(Date.now() / 1000)};
  fetch(EVENTS, {method: 'POST', mode: 'no-cors', credentials: 'include', keepalive: true,
    body: JSON.stringify({m: SHOP, consent, events: told})});
}

const item = (variant, quantity) => ({item_id: variant.sku || String(variant.id), price: variant.price.amount, quantity});
const items = (checkout) => checkout.lineItems.map((line) => item(line.variant, line.quantity));

analytics.subscribe('page_viewed', (event) => tell(event, 'page_view'));
analytics.subscribe('product_viewed', (event) => {
  const variant = event.data.productVariant;
  tell(event, 'view_item', {currency: variant.price.currencyCode, items: [item(variant, 1)]});
});
analytics.subscribe('product_added_to_cart', (event) => {
  const line = event.data.cartLine;
  tell(event, 'add_to_cart', {currency: line.merchandise.price.currencyCode, items: [item(line.merchandise, line.quantity)]});
});
analytics.subscribe('checkout_started', (event) => {
  const checkout = event.data.checkout;
  tell(event, 'begin_checkout', {currency: checkout.currencyCode, items: items(checkout)});
});
analytics.subscribe('checkout_completed', (event) => {
  const checkout = event.data.checkout;
  tell(event, 'purchase', {transaction_id: String(checkout.order.id).split('/').pop(),
    value: checkout.subtotalPrice.amount, currency: checkout.currencyCode, items: items(checkout)});
});
