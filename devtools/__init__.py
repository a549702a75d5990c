"""What the project is developed with. The product never imports it."""
