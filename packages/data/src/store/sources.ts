import { unknownName } from '@localgrad/core';

/** A file as published by its authors. */
export interface SourceFile {
  readonly name: string;
  /** URLs, tried in order. */
  readonly urls: readonly string[];
  /** Published MD5 hash of the whole file. */
  readonly md5: string;
  /** Hashes of the same content as distributions pack it. */
  readonly repackedMd5?: readonly string[];
  /** Whether it is downloaded on request only. */
  readonly optional?: boolean;
}

/** Origin of a data set. */
export interface DatasetSource {
  readonly description: string;
  readonly homepage: string;
  readonly license: string;
  readonly citation: string;
  /** Empty for images that are part of this package. */
  readonly files: readonly SourceFile[];
}

type Hashes = Readonly<Record<string, string>>;

function filesAt(bases: readonly string[], hashes: Hashes, optional: readonly string[] = []): readonly SourceFile[] {
  return Object.entries(hashes).map(([name, md5]) => ({
    name,
    md5,
    urls: bases.map((base) => `${base}${name}`),
    ...(optional.includes(name) ? { optional: true } : {}),
  }));
}

const idx = (trainImages: string, trainLabels: string, testImages: string, testLabels: string): Hashes => ({
  'train-images-idx3-ubyte.gz': trainImages,
  'train-labels-idx1-ubyte.gz': trainLabels,
  't10k-images-idx3-ubyte.gz': testImages,
  't10k-labels-idx1-ubyte.gz': testLabels,
});
const cifarCitation = 'Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009';
const toronto = ['https://www.cs.toronto.edu/~kriz/'];

/** Debian's package dataset-fashion-mnist, which compresses the files again. */
const debianFashionMnist = idx(
  'cf8536b0aa1a6ac5fa3f23001093305c',
  '10bea18fdb374794d4bb42e356e600c9',
  'f78720b4224f21cce2f2ccf2d7a94c9a',
  '0d30e22e447f3c33dab9ed536400ac01',
);

const fashionMnist = {
  homepage: 'https://github.com/zalandoresearch/fashion-mnist',
  license: 'MIT, © 2017 Zalando SE',
  citation: 'Xiao, Rasul and Vollgraf, Fashion-MNIST: a Novel Image Dataset, 2017',
};

/** Data sets that can be downloaded. ImageNet is distributed to registered users only. */
export const datasetSources: Readonly<Record<string, DatasetSource>> = {
  'fashion-mnist-subset': {
    description: 'Fashion-MNIST: 5,000 and 1,000 of its images, part of localgrad',
    ...fashionMnist,
    files: [],
  },
  cifar10: {
    description: 'CIFAR-10: 50,000 and 10,000 color images of 32×32, 10 classes',
    homepage: 'https://www.cs.toronto.edu/~kriz/cifar.html',
    license: 'none stated',
    citation: cifarCitation,
    files: filesAt(toronto, { 'cifar-10-binary.tar.gz': 'c32a1d4ab5d03f1284b67883e8d87530' }),
  },
  cifar100: {
    description: 'CIFAR-100: 50,000 and 10,000 color images of 32×32, 100 classes',
    homepage: 'https://www.cs.toronto.edu/~kriz/cifar.html',
    license: 'none stated',
    citation: cifarCitation,
    files: filesAt(toronto, { 'cifar-100-binary.tar.gz': '03b5dce01913d631647c71ecec9e9cb8' }),
  },
  svhn: {
    description: 'SVHN: 73,257 and 26,032 color images of 32×32 digits, and 531,131 easier ones (extra)',
    homepage: 'http://ufldl.stanford.edu/housenumbers',
    license: 'non-commercial use',
    citation: 'Netzer et al., Reading Digits in Natural Images with Unsupervised Feature Learning, 2011',
    files: filesAt(
      ['http://ufldl.stanford.edu/housenumbers/'],
      {
        'train_32x32.mat': 'e26dedcc434d2e4c54c9b2d4a06d8373',
        'test_32x32.mat': 'eb5a983be6a315427106f1b164d9cef3',
        'extra_32x32.mat': 'a93ce644f1a588dc4d68dda5feec44a7',
      },
      ['extra_32x32.mat'],
    ),
  },
  stl10: {
    description: 'STL-10: 5,000 and 8,000 labeled color images of 96×96, 10 classes',
    homepage: 'https://cs.stanford.edu/~acoates/stl10',
    license: "ImageNet's terms",
    citation: 'Coates, Lee and Ng, An Analysis of Single-Layer Networks in Unsupervised Feature Learning, 2011',
    files: filesAt(['http://ai.stanford.edu/~acoates/stl10/'], {
      'stl10_binary.tar.gz': '91f7769df0f17e558f3565bffb0c7dfb',
    }),
  },
  mnist: {
    description: 'MNIST: 60,000 and 10,000 gray images of 28×28 digits',
    homepage: 'http://yann.lecun.com/exdb/mnist',
    license: 'CC BY-SA 3.0',
    citation: 'LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998',
    files: filesAt(
      ['https://ossci-datasets.s3.amazonaws.com/mnist/', 'http://yann.lecun.com/exdb/mnist/'],
      idx(
        'f68b3c2dcbeaaa9fbdd348bbdeb94873',
        'd53e105ee54ea40749a09fcbcd1e9432',
        '9fb629c4189551a2d022fa330f9573f3',
        'ec29112dd5afa0611ce80d1b7f02629c',
      ),
    ),
  },
  kmnist: {
    description: 'Kuzushiji-MNIST: 60,000 and 10,000 gray images of 28×28 cursive hiragana, 10 classes',
    homepage: 'http://codh.rois.ac.jp/kmnist',
    license: 'CC BY-SA 4.0',
    citation: 'Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018',
    files: filesAt(
      ['http://codh.rois.ac.jp/kmnist/dataset/kmnist/'],
      idx(
        'bdb82020997e1d708af4cf47b453dcf7',
        'e144d726b3acfaa3e44228e80efcd344',
        '5c965bf0a639b31b8f53240b1b52f4d7',
        '7320c461ea6c1c855c0b718fb2a4b134',
      ),
    ),
  },
  'fashion-mnist': {
    description: 'Fashion-MNIST: 60,000 and 10,000 gray images of 28×28 clothes, 10 classes',
    ...fashionMnist,
    files: filesAt(
      ['http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/'],
      idx(
        '8d4fb7e6c68d591d4c3dfef9ec88bf0d',
        '25c81989df183df01b3e8a0aad5dffbe',
        'bef4ecab320f06d8554ea6380940ec79',
        'bb300cfdad3c16e7a12a480ee83cd310',
      ),
    ).map((file) => ({ ...file, repackedMd5: [debianFashionMnist[file.name] ?? ''] })),
  },
};

/** @throws LocalgradError `unknown-name` */
export function datasetSource(name: string): DatasetSource {
  const source = Object.hasOwn(datasetSources, name) ? datasetSources[name] : undefined;
  if (source === undefined) throw unknownName('data set', name, Object.keys(datasetSources));
  return source;
}

/** Whether a file with this MD5 hash has the published content. */
export function hasPublishedContent({ md5, repackedMd5 = [] }: SourceFile, found: string): boolean {
  return found === md5 || repackedMd5.includes(found);
}
