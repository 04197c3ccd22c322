"""What the Spark jobs of the stages share. It executes compiled plans and knows no dataset."""
