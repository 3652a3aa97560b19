"""
A code that minds the classifier
================================

Two codes of sixteen words for handwritten digits: one that minds the squared error alone, one that also asks what a
classifier makes of its words. Both turn images into bytes and back.
"""

# %%
# The codes are designed on 900 images, and sent and read again on the others.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import rdcsolve as rdc

images, digit = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8) / 16
train, test, truth = images[:900], images[900:], digit[900:]
classifier = LogisticRegression(max_iter=500).fit(train.reshape(900, -1), digit[:900])

codes = {
    "squared error alone": rdc.codes.fit_quantiser(train, 16, n_starts=3),
    "with the classifier": rdc.codes.fit_quantiser(
        train, 16, classifier=classifier, classifier_multiplier=0.02, n_starts=3
    ),
}
figure, axes = plt.subplots(2, 1, figsize=(9, 3.2), layout="constrained")
for axis, (name, code) in zip(axes, codes.items(), strict=True):
    messages = code.messages(test)
    x_hat = code.reconstruct(messages)
    decided = classifier.predict_proba(x_hat.reshape(len(x_hat), -1))
    error = ((test - x_hat) ** 2).mean()
    cross_entropy = -np.log(decided[np.arange(truth.size), truth]).mean()
    bits = rdc.information.entropy(np.bincount(messages) / messages.size, base=2)
    told = f"{name}: squared error {error:.4f}, cross-entropy {cross_entropy:.2f} nat, {bits:.2f} bit"
    print(told)
    axis.imshow(np.concatenate(list(code.words.reshape(-1, 8, 8)), axis=1), cmap="gray_r")
    axis.set_title(told, loc="left", fontsize="medium")
    axis.axis("off")
plt.show()
