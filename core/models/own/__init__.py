"""A network of one's own: a file of somebody becomes an `nn.Module`."""
