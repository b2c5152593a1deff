podvisor completion fish | source
