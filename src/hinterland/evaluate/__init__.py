"""Evaluation: did the policy work, for whom, and how sure can we be?"""
