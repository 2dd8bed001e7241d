// Whoever heals a model describes it, and is given tensors, by the types of Streams.
@_exported public import Streams
