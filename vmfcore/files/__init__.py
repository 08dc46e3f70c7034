"""What is kept?  Files that are whole and unaltered, or refused."""
