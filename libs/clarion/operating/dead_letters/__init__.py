"""Dead letters in the hands of operators: choosing, showing, editing, replaying and purging them."""
