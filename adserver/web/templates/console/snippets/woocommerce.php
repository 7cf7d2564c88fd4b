add_action( 'wp_head', function () { ?>
<script>window.rt=window.rt||function(){(rt.q=rt.q||[]).push(arguments)};
rt('init', '{{ public_id }}', {dataLayer: true});
</script><script async src="{{ base_url }}/m/tag.js"></script>
<?php }, 1 );

function rt_item( $product, $quantity = 1 ) {
    return array(
        'item_id'  => $product->get_sku() ? $product->get_sku() : (string) $product->get_id(),
        'price'    => (float) wc_get_price_to_display( $product ),
        'quantity' => (int) $quantity,
    );
}

function rt_tell( $name, $details ) {
    $details['currency'] = get_woocommerce_currency();
    printf( "<script>rt('event', '%s', %s);</script>", esc_js( $name ), wp_json_encode( $details, JSON_HEX_TAG ) );
}

add_action( 'woocommerce_after_single_product', function () {
    global $product;
    rt_tell( 'view_item', array( 'items' => array( rt_item( $product ) ) ) );
} );

add_action( 'woocommerce_after_cart', function () {
    $items = array();
    foreach ( WC()->cart->get_cart() as $line ) {
        $items[] = rt_item( $line['data'], $line['quantity'] );
    }
    rt_tell( 'view_cart', array( 'items' => $items ) );
} );

add_action( 'woocommerce_thankyou', function ( $order_id ) {
    $order = wc_get_order( $order_id );
    $items = array();
    foreach ( $order->get_items() as $line ) {
        if ( $line->get_product() ) {
            $items[] = rt_item( $line->get_product(), $line->get_quantity() );
        }
    }
    $value = $order->get_total() - $order->get_total_tax() - $order->get_shipping_total();
    rt_tell( 'purchase', array( 'transaction_id' => (string) $order->get_id(), 'value' => round( $value, 2 ), 'items' => $items ) );
} );

add_action( 'wp_footer', function () { ?>
<script>
if (window.jQuery) {
  let chosen;
  jQuery('form.variations_form').on('found_variation', (event, one) => { chosen = one.sku || String(one.variation_id); });
  jQuery('form.cart').on('submit', function () {
    const id = chosen || jQuery(this).find('[name="add-to-cart"]').val();
    const sku = jQuery('.product_meta .sku').first().text().trim();
    rt('event', 'add_to_cart', {items: [{item_id: chosen || sku || id}]});
  });
  jQuery(document.body).on('added_to_cart', (event, fragments, hash, button) => {
    const id = button && (button.data('product_sku') || button.data('product_id'));
    if (id) rt('event', 'add_to_cart', {items: [{item_id: String(id)}]});
  });
}
</script>
<?php } );
