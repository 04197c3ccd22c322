"""Locations in the Glue catalog, which are S3 keys as they are: nothing in them is decoded."""


def split_location(location):
    """Bucket and prefix; the prefix ends with a slash, or `COUNTRY=Niger` would also list `COUNTRY=Nigeria`."""
    bucket, _, prefix = location.partition("://")[2].partition("/")
    return bucket, prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
