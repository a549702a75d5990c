"""How anything is fetched: who asks, how often, over which connection, and what answers mean."""
