rt('event', 'add_to_cart', {currency: {{ currency }}, items: [{item_id: {{ item_id }}, price: {{ price }}, quantity: 1}]});
