"""Measure how long trained networks take to answer: dense, with scattered zeros, and without their empty channels.

This package never trains. It reads the weights of finished runs, so that a row has the accuracy of its network, too.
"""
