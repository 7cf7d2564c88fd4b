{% raw %}<script>
rt('event', 'purchase', { transaction_id: '{$order.details.id}', value: {$order.subtotals.products.amount}, currency: '{$currency.iso_code}', items: [
  {foreach $order.products as $line}{ item_id: '{$line.id_product}', quantity: {$line.quantity} },{/foreach}
] });
</script>{% endraw %}
