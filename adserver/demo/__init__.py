"""The demo: a shop, a service, a news page and the story of what the server does between them."""
