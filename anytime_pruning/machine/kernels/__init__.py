"""Get the same results from faster kernels: the precision of products, and the memory format of feature maps."""
