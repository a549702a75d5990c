"""Which cards there are: the bulk file, and the faces in it that have a picture."""
