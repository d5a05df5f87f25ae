"""Dead letters that are kept for operators: folding the topic, finding letters, and changing them."""
