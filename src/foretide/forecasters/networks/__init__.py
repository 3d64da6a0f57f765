"""The neural forecasters: LSTM and attention encoder-decoders."""
