"""The rules of a plan derived a second time, from its problem and its frames alone: nothing here knows how the model is built."""
