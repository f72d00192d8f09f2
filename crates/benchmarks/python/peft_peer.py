"""PyTorch's training step of adapters on an encoder, as its users write it: with padded batches."""

from encoder_step import VERSION, Peer, padded
from protocol import serve

serve("PyTorch", VERSION, lambda question: Peer(question, padded))
