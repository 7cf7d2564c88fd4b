"""What shoppers see: cards drawn as HTML documents and animated GIFs."""
