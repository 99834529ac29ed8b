"""What a model has learned: saliency maps, inserted sites, effects of sites and variants."""
