"""From events to rows: folds that make the read models. Pure, as the rules are."""
