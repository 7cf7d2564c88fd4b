"""What merchants' pages tell us: the pixel's vocabulary, parsing, cookies and consent."""
