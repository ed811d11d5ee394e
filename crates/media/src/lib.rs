//! What a call carries: the media class of each side, and who must join them.
