"""Spectrogram Token Skip-Gram: mel frames become tokens, tokens become vectors.

Source: "Distilling Spectrograms into Tokens", DS@GT, BirdCLEF+ 2025 working notes, section 3.2.
"""
