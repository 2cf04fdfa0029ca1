"""Steps of localgrad's plans in plain PyTorch."""
