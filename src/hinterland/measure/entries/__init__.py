"""What the catalogue says of each indicator, and how a table's columns become the arrays that its function takes."""
