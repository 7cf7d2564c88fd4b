curl -sS {{ base_url }}/api/v1/events -H "Authorization: Bearer YOUR_API_KEY" -H "Content-Type: application/json" -d '{
  "consent": {"granted": true, "cmp": "my banner", "time": {{ now_seconds }}},
  "events": [{"name": "purchase", "event_id": "order-R-1001", "rtclid": "WHAT_THE_LANDING_PAGE_GOT",
    "transaction_id": "R-1001", "value": {{ price }}, "currency": {{ currency }},
    "items": [{"item_id": {{ item_id }}, "quantity": 1}]}]}'
