(document, window) => {
  const faults = [];
  const { innerWidth: width, innerHeight: height } = window;
  const body = document.body, all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const box = (element) => element.getBoundingClientRect();
  const name = (element) => `.${element.className || element.tagName} “${element.textContent.trim().slice(0, 24)}”`;
  const side = Math.min(width, height);
  const list = document.querySelector('.cards');

  // A carousel's other cards stand beside the frame on purpose.
  const outOfSight = (element) => {
    const card = element.closest('li');
    if (!card || !list) return false;
    const own = box(card), whole = box(list);
    return own.left > whole.right - 2 || own.right < whole.left + 2;
  };
  const visible = (element) => {
    const own = box(element);
    // Where a price has one line only, what it was goes unseen if there is no room beside it.
    const price = element.closest('.price');
    if (price && window.getComputedStyle(price).overflow === 'hidden' && own.top >= box(price).bottom - 3) return false;
    return own.width > 0 && own.height > 0 && !element.closest('.aloud,[hidden]') && !outOfSight(element);
  };
  const within = (inner, outer, slack) => inner.left >= outer.left - slack && inner.right <= outer.right + slack &&
    inner.top >= outer.top - slack && inner.bottom <= outer.bottom + slack;
  const meets = (one, two) => Math.min(one.right, two.right) - Math.max(one.left, two.left) > 1 &&
    Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top) > 1;

  // The ink of an element: the lines of its own text, but none that is cut off below a clamp's ellipsis.
  const ink = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const own = box(element);
    const rects = [...range.getClientRects()].filter((rect) => rect.width > 1 && rect.top < own.bottom - 2);
    if (!rects.length) return null;
    const edges = { left: Math.min(...rects.map((r) => r.left)), right: Math.max(...rects.map((r) => r.right)),
      top: Math.min(...rects.map((r) => r.top)), bottom: Math.max(...rects.map((r) => r.bottom)) };
    const style = window.getComputedStyle(element);
    if (style.overflow === 'visible') return edges;
    const [start, end] = [parseFloat(style.paddingLeft), parseFloat(style.paddingRight)];
    return { left: Math.max(edges.left, own.left + start), right: Math.min(edges.right, own.right - end),
      top: Math.max(edges.top, own.top), bottom: Math.min(edges.bottom, own.bottom) };
  };

  const texts = all('.brand,.pitch,.code,.ends,.ad,.title,.price b,.price s bdi,.button,.badge,.headline,.body,.gone p,.gone a')
    .filter((element) => visible(element) && element.textContent.trim());
  const whole = { left: 0, top: 0, right: width, bottom: height };

  if (document.documentElement.scrollWidth > width || document.documentElement.scrollHeight > height) faults.push('the page overflows');

  for (const element of texts) {
    const edges = ink(element), margin = side * 0.02 - 0.5;
    if (!edges) continue;
    if (edges.left < margin || edges.top < margin || edges.right > width - margin || edges.bottom > height - margin) {
      faults.push(`margin of ${name(element)} ${JSON.stringify(edges)}`);
    }
    // Clipped: without an ellipsis where one is meant, and never at all in what must be read whole.
    const style = window.getComputedStyle(element);
    const cut = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
    const clamps = style.webkitLineClamp !== 'none', dots = style.textOverflow === 'ellipsis' && style.whiteSpace === 'nowrap';
    const byDesign = element.matches('.brand,.pitch,.title,.headline,.body,.code') && (clamps || dots);
    if (style.display !== 'inline' && cut && !byDesign) faults.push(`clipped ${name(element)}`);
    const line = parseFloat(style.lineHeight), inner = box(element).height - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    const odd = inner % line;
    if (clamps && style.minHeight === '0px' && odd > 1.5 && odd < line - 1.5) faults.push(`half a line of ${name(element)}`);
    // A line too many is cut off whole: what is clamped may show no part of it in its own padding.
    const range = document.createRange();
    range.selectNodeContents(element);
    const lower = [...range.getClientRects()].some((rect) => rect.top < box(element).bottom - 1 && rect.bottom > box(element).bottom + 2);
    if (clamps && lower) faults.push(`part of a line below ${name(element)}`);
    const card = element.closest('.card,.message');
    if (card && !within(edges, box(card), 1)) faults.push(`out of its card: ${name(element)}`);
    const words = element.closest('.words');
    if (words && !within(edges, box(words), 1.5)) faults.push(`out of its words: ${name(element)}`);
  }

  // No two texts on one another, whoever they belong to; a badge lies on its picture, not on words.
  const inks = texts.filter((element) => !element.matches('.code bdi')).map((element) => [element, ink(element)]);
  inks.forEach(([one, first], place) => inks.slice(place + 1).forEach(([two, second]) => {
    if (first && second && !one.contains(two) && !two.contains(one) && meets(first, second)) {
      faults.push(`${name(one)} on ${name(two)}`);
    }
  }));
  for (const control of all('.why,.close,.turn').filter(visible)) {
    const own = box(control);
    if (Math.min(own.width, own.height) < 23.5) faults.push(`too small to press: ${name(control)}`);
    if (!within(own, whole, 0)) faults.push(`out of the frame: ${name(control)}`);
    inks.forEach(([text, edges]) => {
      if (edges && !control.contains(text) && meets(own, edges)) faults.push(`${name(control)} on ${name(text)}`);
    });
  }
  for (const card of all('.card,.message').filter(visible)) {
    const parts = all('.picture,.photo,.words,.button', card).filter(visible);
    parts.forEach((one, place) => parts.slice(place + 1).forEach((two) => {
      if (meets(box(one), box(two))) faults.push(`${name(one)} on ${name(two)}`);
    }));
    const own = box(card), picture = card.querySelector('.picture');
    if (!body.className.includes('t-text') && picture) {
      const its = box(picture), share = (its.width * its.height) / (own.width * own.height);
      // In a bar of less than 150 pixels one wide card would be all picture: there it has the whole height.
      const bar = own.height < 150 && own.width > own.height * 2.4;
      if (bar ? its.height < own.height - 1 : share < 0.4) {
        faults.push(`the picture has ${Math.round(share * 100)} % of its card`);
      }
    }
  }

  // WCAG contrast of the colours as they are drawn, on the ground that is behind them.
  const rgb = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
  const light = (colour) => {
    const [r, g, b] = rgb(colour).map((channel) => {
      const part = channel / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, two) => {
    const [high, low] = [light(one), light(two)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const grounds = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = window.getComputedStyle(at);
      if (style.backgroundImage !== 'none') return style.backgroundImage.match(/rgba?\([^)]*\)/g);
      const channels = rgb(style.backgroundColor);
      if (channels.length === 3 || channels[3] === 1) return [style.backgroundColor];
    }
    return ['rgb(255, 255, 255)'];
  };
  for (const element of texts) {
    const colour = window.getComputedStyle(element).color;
    grounds(element).forEach((ground) => {
      if (contrast(colour, ground) < 4.5) faults.push(`contrast ${contrast(colour, ground).toFixed(2)} of ${name(element)}`);
    });
  }
  for (const button of all('.button').filter(visible)) {
    const edge = window.getComputedStyle(button).boxShadow.match(/rgba?\([^)]*\)/)[0];
    const fill = window.getComputedStyle(button).backgroundColor;
    grounds(button.parentElement).forEach((ground) => {
      if (Math.max(contrast(edge, ground), contrast(fill, ground)) < 3) faults.push(`edge of ${name(button)}`);
    });
  }
  for (const image of all('img').filter(visible)) {
    if (!image.complete || !image.naturalWidth) faults.push(`no picture ${image.src}`);
  }
  return faults;
}
