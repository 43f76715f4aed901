"""The apps that Voila shows, and the server that shows them. Rules of the trade live in the rooms below."""
