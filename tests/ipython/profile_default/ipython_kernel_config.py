# ipykernel warns of its TCP ports at every start; kernels here serve this machine only
c.IPKernelApp.log_level = 40  # noqa: F821
