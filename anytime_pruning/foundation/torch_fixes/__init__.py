"""Avoid what torch and torchvision do wrong in processes like these."""
