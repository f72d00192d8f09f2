"""The same step with packed batches, which PyTorch's users seldom write: without the padding, what is left of the difference?"""

from encoder_step import VERSION, Peer, packed
from protocol import serve

serve("PyTorch, packed", VERSION, lambda question: Peer(question, packed))
