"""Images: where each voxel lies in the world, reading and writing files, resampling."""
