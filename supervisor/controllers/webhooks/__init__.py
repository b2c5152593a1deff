"""Who is heard on the listener for webhooks; what they tell is for sources and images to hear."""
