"""The real MRML of Slicer without the application: a scene, views, and a mouse. No Qt, no screen."""
