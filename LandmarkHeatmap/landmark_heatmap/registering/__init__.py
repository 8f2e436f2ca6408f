"""The registered start: landmarks of a few annotated cases, carried over to a new image.

From the first case of a dataset on, long before a network has learnt anything, each case is registered to
the image with SimpleITK, its landmarks go along, and what the cases say is put together to the same kind
of Prediction as a network's.

`views` is what registration looks at, `poses` how a case may lie in the image, `pairs` registers one
case, `votes` puts the cases together, `atlas` reads them from a dataset folder, `telling` makes markers
and beliefs, `registrar` does all of it, and `models` takes a dataset folder where a model is asked for.
Needs no torch.
"""
