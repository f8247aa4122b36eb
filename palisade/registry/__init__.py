"""The API registry: which APIs there are, in which state, whose they are, and who may call them."""
