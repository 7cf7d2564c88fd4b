"""What the API takes and answers, one file per resource; pydantic and nothing of the rules."""
