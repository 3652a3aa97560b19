"""
One code, two decoders
======================

One encoder sends handwritten digits as sixteen messages. One decoder wants them to look like the images, another wants
a classifier to recognise them. What does each lose against a code of its own, and what would any encoder for both need?
"""

# %%
# The code is designed on 900 images and measured on the others: filled points are the two decoders of the common
# encoder, open ones a code made for one task. On the right, what the code sends beside the certified least rates at the
# losses of its decoders, of a code for one task and of one for both.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import rdcsolve as rdc

images, digit = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8) / 16
train, test, truth = images[:900], images[900:], digit[900:]
classifier = LogisticRegression(max_iter=500).fit(train.reshape(900, -1), digit[:900])

tasks = {"restore": 0.0, "recognise": 0.5}
code = rdc.codes.fit_universal_quantiser(train, 16, targets=tasks, classifier=classifier)
found = code.measure(test, labels=truth, unit="bit")
print(found)
found.plot()
plt.show()

# %%
# The same sixteen messages, as each of the two shows them.

figure, axes = plt.subplots(2, 1, figsize=(9, 2.6), layout="constrained")
for axis, (name, decoder) in zip(axes, code.decoders.items(), strict=True):
    axis.imshow(np.concatenate(list(decoder.words.reshape(-1, 8, 8)), axis=1), cmap="gray_r")
    axis.set_title(name, loc="left", fontsize="medium")
    axis.axis("off")
plt.show()
