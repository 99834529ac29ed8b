"""Training and prediction: the recipe, the loop, devices and hosts, speed and cost."""
