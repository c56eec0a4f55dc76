"""Generated facts, contenders that compute the same results from them, and a runner that times them."""
