{% raw %}{literal}<script>window.rt=window.rt||function(){(rt.q=rt.q||[]).push(arguments)};
rt('init', '{% endraw %}{{ public_id }}{% raw %}', {dataLayer: true});
</script>{/literal}<script async src="{% endraw %}{{ base_url }}{% raw %}/m/tag.js"></script>

{if $page.page_name == 'product'}
<script>
rt('event', 'view_item', { currency: '{$currency.iso_code}', items: [{ item_id: '{$product.id_product}', price: {$product.price_amount} }] });
</script>
{/if}

{if $page.page_name == 'cart'}
<script>
rt('event', 'view_cart', { currency: '{$currency.iso_code}', items: [
  {foreach $cart.products as $line}{ item_id: '{$line.id_product}', quantity: {$line.quantity} },{/foreach}
] });
</script>
{/if}

{literal}<script>
addEventListener('load', function () {
  window.prestashop && prestashop.on('updateCart', function (event) {
    var reason = event && event.reason || {};
    if (reason.linkAction === 'add-to-cart') rt('event', 'add_to_cart', {items: [{item_id: String(reason.idProduct)}]});
  });
});
</script>{/literal}{% endraw %}
