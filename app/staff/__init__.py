"""The console of the shop's people: its pages. What they do goes through ``/v1`` like everybody's."""
